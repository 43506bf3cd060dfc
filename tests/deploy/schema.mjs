// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Holds Kubernetes objects against the API's own schema.
//
//	node tests/deploy/schema.mjs FILE...		YAML, any number of documents each
//
// Contract: prints one line for each fault, and how many objects were seen; exit status 1 if there was a fault or no
// object. Three checks: validators made from Kubernetes' OpenAPI document (required fields, types, ranges, formats);
// the same document as TypeScript types, where the compiler refuses a field that does not exist; and what no schema
// says, below in cross(). CiliumLocalRedirectPolicy has a schema of its own beside this file.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const npm = path.join(here, '../../build/deploy/npm');
const require = createRequire(path.join(npm, 'here.js'));
const YAML = require('yaml');
const ts = require('typescript');
const Ajv = require('ajv').default;

const operator = '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/';
const modules = {
	'v1 ServiceAccount': 'kubernetes-models/v1/ServiceAccount',
	'v1 Service': 'kubernetes-models/v1/Service',
	'v1 ConfigMap': 'kubernetes-models/v1/ConfigMap',
	'apps/v1 DaemonSet': 'kubernetes-models/apps/v1/DaemonSet',
	'batch/v1 Job': 'kubernetes-models/batch/v1/Job',
	'rbac.authorization.k8s.io/v1 ClusterRole': 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole',
	'rbac.authorization.k8s.io/v1 Role': 'kubernetes-models/rbac.authorization.k8s.io/v1/Role',
	'rbac.authorization.k8s.io/v1 RoleBinding': 'kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding',
	'monitoring.coreos.com/v1 PodMonitor': operator + 'PodMonitor',
	'monitoring.coreos.com/v1 ServiceMonitor': operator + 'ServiceMonitor',
	'monitoring.coreos.com/v1 PrometheusRule': operator + 'PrometheusRule',
};
const cilium = new Ajv({ allErrors: true, strict: false }).compile(
	JSON.parse(readFileSync(path.join(here, 'ciliumlocalredirectpolicy.schema.json'))));

let faults = 0;
function fault(where, what) {
	console.log(`${where}: ${what}`);
	faults++;
}

function read(file) {
	const objects = [];
	for (const doc of YAML.parseAllDocuments(readFileSync(file, 'utf8'), { uniqueKeys: true })) {
		for (const error of [...doc.errors, ...doc.warnings])
			fault(file, error.message.split('\n')[0]);
		const data = doc.errors.length ? null : doc.toJS();
		if (data)
			objects.push({ data, where: `${file}: ${data.kind} ${data.metadata?.name}` });
	}
	return objects;
}

async function validate({ data, where }) {
	const key = `${data.apiVersion} ${data.kind}`;
	if (key === 'cilium.io/v2 CiliumLocalRedirectPolicy') {
		if (!cilium(data))
			for (const error of cilium.errors)
				fault(where, `${error.instancePath} ${error.message}`);
		return;
	}
	if (!modules[key])
		return fault(where, `no schema for ${key}`);
	const file = path.join(npm, 'node_modules', modules[key] + '.js');
	const Model = (await import(pathToFileURL(file)))[data.kind];
	try {
		new Model(data).validate();
	} catch (error) {
		fault(where, error.message);
	}
}

// One source file with every object as a constant of its type: a field that the type does not have is an error.
function compile(objects) {
	const file = path.join(npm, 'objects.ts');
	const at = [];
	let text = '';
	for (const { data, where } of objects) {
		const module = modules[`${data.apiVersion} ${data.kind}`];
		if (!module)
			continue;
		const line = `import { I${data.kind} as T${at.length} } from '${module}'; ` +
			`export const o${at.length}: T${at.length} = ${JSON.stringify(data)};\n`;
		at.push({ where, end: text.length + line.length });
		text += line;
	}
	const options = {
		noEmit: true, strict: true, skipLibCheck: true, types: [],
		target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext,
		moduleResolution: ts.ModuleResolutionKind.Bundler,
	};
	const host = ts.createCompilerHost(options);
	const { getSourceFile, fileExists } = host;
	host.fileExists = (name) => name === file || fileExists(name);
	host.getSourceFile = (name, target, ...rest) => name === file ?
		ts.createSourceFile(name, text, target) : getSourceFile(name, target, ...rest);
	const program = ts.createProgram([file], options, host);
	for (const error of ts.getPreEmitDiagnostics(program)) {
		const object = at.find(({ end }) => error.start < end);
		fault(object?.where ?? 'types', ts.flattenDiagnosticMessageText(error.messageText, ' ').slice(0, 300));
	}
}

// What the API server, the kubelet or a controller would stumble over.
function cross({ data, where }, objects) {
	const pod = data.spec?.template?.spec;
	if (!pod)
		return;
	const labels = data.spec.template.metadata?.labels ?? {};
	for (const [key, value] of Object.entries(data.spec.selector?.matchLabels ?? {}))
		if (labels[key] !== value)
			fault(where, `selector ${key}=${value}: the pods have no such label`);
	const volumes = new Set((pod.volumes ?? []).map((volume) => volume.name));
	for (const container of pod.containers) {
		for (const mount of container.volumeMounts ?? [])
			if (!volumes.has(mount.name))
				fault(where, `mount ${mount.name}: no such volume`);
		for (const port of container.ports ?? [])
			if (port.name && !/^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/.test(port.name))
				fault(where, `port ${port.name}: not a name of a port`);
		const capabilities = container.securityContext?.capabilities?.add ?? [];
		if (capabilities.some((name) => /^CAP_/.test(name)))
			fault(where, `capabilities ${capabilities}: the API has them without CAP_`);
		if (container.securityContext?.allowPrivilegeEscalation === false && capabilities.includes('SYS_ADMIN'))
			fault(where, 'allowPrivilegeEscalation: false beside SYS_ADMIN');
		for (const probe of [container.livenessProbe, container.readinessProbe])
			if (probe && pod.hostNetwork && !probe.httpGet?.host)
				fault(where, 'a probe of a pod on the host network without host');
	}
	for (const volume of pod.volumes ?? []) {
		const map = volume.configMap;
		if (!map || map.optional)
			continue;
		const found = objects.find(({ data: other }) => other.kind === 'ConfigMap' && other.metadata.name === map.name);
		if (!found)
			fault(where, `ConfigMap ${map.name}: there is none`);
		for (const { key } of map.items ?? [])
			if (found && !(key in found.data.data))
				fault(where, `ConfigMap ${map.name}: no key ${key}`);
	}
	if (pod.serviceAccountName && !objects.some(({ data: other }) => other.kind === 'ServiceAccount' &&
		other.metadata.name === pod.serviceAccountName))
		fault(where, `ServiceAccount ${pod.serviceAccountName}: there is none`);
	for (const [key] of Object.entries(data.spec.template.metadata?.annotations ?? {})) {
		const name = key.match(/^container\.apparmor\.security\.beta\.kubernetes\.io\/(.*)$/)?.[1];
		if (name && !pod.containers.some((container) => container.name === name))
			fault(where, `${key}: no such container`);
	}
}

const objects = [];
for (const file of process.argv.slice(2)) {
	const found = read(file);
	for (const object of found) {
		await validate(object);
		cross(object, found);
	}
	objects.push(...found);
}
compile(objects);
console.log(`${objects.length} objects, ${faults} faults`);
process.exit(faults || !objects.length ? 1 : 0);
