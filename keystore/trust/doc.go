// Package trust has the servers of a cluster trust one another: it signs and believes
// published certificates, renders the trust store to files, and tries it by calling.
//
// # The problem
//
// Servers that call one another by TLS need each other's certificate, and where each
// has its own, an administrator copies n certificates to n-1 servers and imports them
// one by one; again when one is renewed, and again for each proxy in front. What was
// forgotten shows when a user is sent to the other server.
//
// # Nouns
//
//	certificate  what the server of a node shows, or is about to show; without its key
//	entry        a certificate under its alias: of a node, or added by an operator
//	store        all entries of a version; the database has the versions
//	files        what is rendered of it on a node: PKCS12, JKS, PEM
//	peer         a node whose server can be called
//
//	node:  server shows -> Sign -> coterie.trust_certificate
//	                                    | approved, neither evicted nor gone for long
//	                               coterie.trust_store, version n
//	                                    |
//	node:  Store.Believed -> Files.Render -> Caller.Round -> coterie.trust_test
//
// # Laws
//
//   - An entry of a node is believed only if the identity whose fingerprint is the
//     node's id has signed it for this cluster and this node. Who has the login of a
//     node and not its key cannot have his certificate trusted in its name; who owns
//     the tables, and could make a node of his own, is trusted.
//   - A private key is neither read nor kept.
//   - A file is replaced at once, keeps its owner and mode, and only when it has other
//     entries than it should. What has the right entries is left alone, whoever wrote it.
//   - What somebody else put into a file is not destroyed. A file that was never
//     rendered here and has certificates that the store does not know is left as it
//     is, which is told (ForeignError). One that was rendered here and changed since
//     is put right, and what it was like is kept beside the node's memory.
//   - While a certificate is replaced both are entries: the next one as soon as it is
//     announced, the former one for as long as the cluster's setting says.
//   - Peers are called a few at a time, one after another by the clock, each for a
//     bounded time, by the trust store as it stands in the file.
//
// # Failure
//
// A file that cannot be written leaves the old one, and the node says so. A peer that
// hangs costs its time and nobody else's. A peer that shows its certificate and then
// asks for one of ours has been proved: what was to be tried is whether we trust it.
package trust
