// Package keystore reads, writes, judges and seals keystores: the files from which
// a server on Java takes its private key and certificates.
//
// # The problem
//
// All servers of a cluster must show the same certificate, and their keystore is
// copied by hand today. The files are PKCS12 with several aliases, JKS, or JCEKS, as
// keytool and OpenSSL write them in twenty ways; they come from a folder that others
// write to; and a file that is half right is noticed at the next restart, when the
// server does not come up.
//
// # Nouns
//
//   - A Store is what a file has: entries under aliases, in the order of the file.
//   - An Entry is a private key with its chain, a trusted certificate, or a secret.
//     What cannot be opened stays sealed, and is written again byte for byte.
//   - A Fault is what a server or its clients would object to (Check).
//   - A Bundle is a file with what opens it. Seal encrypts one for a Place (cluster,
//     keystore, version), and for recipients: nodes and recovery keys. An Opener opens
//     what is sealed to it, in its place and in no other.
//
// # Laws
//
//  1. The content tells the format; names and configured types prove nothing.
//  2. Nothing is allocated or computed because a file says so: sizes are held
//     against what is there, rounds of derivation, entries and nesting against
//     constants, before. A hostile file costs an error, never the process.
//  3. What protects the file (MAC, digest) is looked at before what is in it.
//  4. Which certificate belongs to which key is decided as Java decides it, since
//     Java is who will read the file.
//  5. What is written, keytool of JDK 17 and OpenSSL 3 open: PKCS12 with PBES2,
//     AES-256 and HMAC-SHA256, JKS of version 2; aliases in lower case.
//  6. A password appears in no error, log or document.
//
// # Formats
//
//	         keys        own passwords  trusted  secrets      written
//	PKCS12   yes         yes            yes      kept sealed  yes
//	JKS      yes         yes            yes      has none     yes
//	JCEKS    yes         yes            yes      kept sealed  no: convert to PKCS12
//	PEM      yes         one for all    yes      has none     yes, without aliases
//
// RC2, RC4 and 3DES are read with a warning. PBMAC1, scrypt and BER of indefinite
// length are refused by name; so is a key in a file without MAC.
package keystore
