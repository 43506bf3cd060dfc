# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Certificates made by openssl: of the authorities "ca" and "other", and what they sign."""
from lab import run


class Certificates:
    """NAME.pem and NAME.key of a directory."""

    def __init__(self, where):
        self.dir = where
        for ca in "ca", "other":
            run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                self.key(ca), "-out", self.pem(ca), "-days", 2, "-subj", f"/CN={ca}")

    def pem(self, name):
        return self.dir / f"{name}.pem"

    def key(self, name):
        return self.dir / f"{name}.key"

    def make(self, name, names, ca="ca", days=2):
        """One for `names`, as openssl's subjectAltName has them."""
        request, extensions = self.dir / f"{name}.csr", self.dir / f"{name}.ext"
        extensions.write_text(f"subjectAltName={names}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key(name),
            "-out", request, "-subj", f"/CN={name}")
        run("openssl", "x509", "-req", "-in", request, "-CA", self.pem(ca), "-CAkey", self.key(ca), "-days", days,
            "-extfile", extensions, "-out", self.pem(name))
