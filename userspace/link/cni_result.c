// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * libcni's cache, a file at a time. Contract: cni_result.h.
 */
#include "link/cni_result.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool is_name(const char *text, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-._";

	for (size_t i = 0; i < len; i++) {
		if (!text[i] || !strchr(allowed, text[i]))
			return false;
	}
	return true;
}

int pod_name__set(struct pod_name *pod, const char *ns, size_t ns_len, const char *name,
		  size_t name_len)
{
	if (!name_len || name_len >= sizeof(pod->name) || ns_len >= sizeof(pod->ns) ||
	    !is_name(ns, ns_len) || !is_name(name, name_len))
		return -EBADMSG;
	memset(pod, 0, sizeof(*pod));
	memcpy(pod->ns, ns, ns_len);
	memcpy(pod->name, name, name_len);
	return 0;
}

const char *pod_name__text(const struct pod_name *pod, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s", pod->ns, *pod->ns ? "/" : "", pod->name);
	return text;
}

/* The value of a [KEY, VALUE] of cniArgs; NULL: there is none. */
static const json_t *argument(const json_t *args, const char *key)
{
	const json_t *pair;
	size_t i;

	json_array_foreach(args, i, pair)
	{
		const char *name = json_string_value(json_array_get(pair, 0));

		if (name && !strcmp(name, key))
			return json_array_get(pair, 1);
	}
	return NULL;
}

static int take_pod(const json_t *root, struct pod_name *pod)
{
	const json_t *args = json_object_get(root, "cniArgs");
	const json_t *ns = argument(args, "K8S_POD_NAMESPACE");
	const json_t *name = argument(args, "K8S_POD_NAME");

	if (!json_is_string(name))
		return -ENOENT;
	return pod_name__set(pod, json_is_string(ns) ? json_string_value(ns) : "",
			     json_string_length(ns), json_string_value(name),
			     json_string_length(name));
}

/* "10.0.0.2/24" */
static void take_addr(const json_t *value, struct cni_result *out)
{
	const char *text = json_string_value(value);
	union sockaddr_any addr;
	char ip[INET6_ADDRSTRLEN];
	size_t len = text ? strcspn(text, "/") : sizeof(ip);

	if (len >= sizeof(ip) || out->n_addrs == CNI_MAX_ADDRS)
		return;
	memcpy(ip, text, len);
	ip[len] = '\0';
	if (!sockaddr__parse_ip(ip, 0, &addr))
		out->addrs[out->n_addrs++] = served_addr__of(&addr);
}

/* Without a sandbox it is on the node. */
static void take_device(const json_t *interface, struct cni_result *out)
{
	const json_t *name = json_object_get(interface, "name");
	const char *sandbox = json_string_value(json_object_get(interface, "sandbox"));
	size_t len = json_string_length(name);

	if ((sandbox && *sandbox) || !len || len >= IF_NAMESIZE ||
	    out->n_devices == CNI_MAX_DEVICES)
		return;
	strcpy(out->devices[out->n_devices++], json_string_value(name));
}

static void take_result(const json_t *result, struct cni_result *out)
{
	const json_t *devices = json_object_get(result, "interfaces");
	const json_t *addrs = json_object_get(result, "ips");

	for (size_t i = 0; i < json_array_size(devices); i++)
		take_device(json_array_get(devices, i), out);
	for (size_t i = 0; i < json_array_size(addrs); i++)
		take_addr(json_object_get(json_array_get(addrs, i), "address"), out);
	/* CNI 0.2.0 and before */
	take_addr(json_object_get(json_object_get(result, "ip4"), "ip"), out);
	take_addr(json_object_get(json_object_get(result, "ip6"), "ip"), out);
}

int cni_result__parse(const char *text, size_t len, struct cni_result *out)
{
	struct cni_result found = { 0 };
	json_t *root = json_loadb(text, len, 0, NULL);
	int ret = json_is_object(root) ? take_pod(root, &found.pod) : -EINVAL;

	if (!ret) {
		take_result(json_object_get(root, "result"), &found);
		*out = found;
	}
	json_decref(root);
	return ret;
}
