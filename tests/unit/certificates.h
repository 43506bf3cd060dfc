/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Certificates for tests, good and bad, made at run time.
 *
 * Contract: within cmocka tests; what cannot be made fails the test.
 */
#ifndef NODENS_CERTIFICATES_H
#define NODENS_CERTIFICATES_H

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

static inline void cert_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(ext);
	X509_add_ext(cert, ext, -1);
	X509_EXTENSION_free(ext);
}

/* @issuer NULL: signed by itself, a CA. @names: "DNS:a,IP:192.0.2.1", or NULL. Days from now. */
static inline struct identity identity_new(const struct identity *issuer, const char *cn,
					   const char *names, int from_day, int to_day)
{
	static long serial;
	struct identity id = { .key = EVP_EC_gen("P-256"), .cert = X509_new() };
	X509_NAME *subject;

	assert_non_null(id.key);
	X509_set_version(id.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), from_day * 86400L);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), to_day * 86400L);
	X509_set_pubkey(id.cert, id.key);
	subject = X509_get_subject_name(id.cert);
	X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1,
				   0);
	X509_set_issuer_name(id.cert, issuer ? X509_get_subject_name(issuer->cert) : subject);
	if (!issuer)
		cert_extension(id.cert, id.cert, NID_basic_constraints, "critical,CA:TRUE");
	if (names)
		cert_extension(id.cert, id.cert, NID_subject_alt_name, names);
	assert_true(X509_sign(id.cert, issuer ? issuer->key : id.key, EVP_sha256()));
	return id;
}

static inline void identity_free(struct identity *id)
{
	EVP_PKEY_free(id->key);
	X509_free(id->cert);
}

static inline void write_cert(const struct identity *id, const char *path)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(PEM_write_X509(out, id->cert));
	fclose(out);
}

/* @password NULL: in the clear. */
static inline void write_key(const struct identity *id, const char *path, const char *password)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	assert_true(PEM_write_PrivateKey(out, id->key, password ? EVP_aes_128_cbc() : NULL,
					 (const unsigned char *)password,
					 password ? (int)strlen(password) : 0, NULL, NULL));
	fclose(out);
}

#endif /* NODENS_CERTIFICATES_H */
