package problem

func trusts() []Entry {
	return []Entry{
		{"COT-940", ExitDegraded, "node cannot call the server of another",
			"coterie trusts",
			`The agent of a node called the server of another one (or its own) by TLS, by the
trust store that stands in its files, and it did not come about: the reason says
whether nobody trusted has issued the certificate, it is for another name, has
ended, or nobody answered. Whoever is sent from one server to the other meets
the same. The call is made again every trust.test_every, and when trust changes.`},
		{"COT-941", ExitDegraded, "trust store is not in place",
			"look at what the agent of that node logs",
			`A node could not write the trust store into its files, or is behind the others.
foreign: a file with certificates that nobody added stood there before anything
was rendered, and is left alone, since a server may need them: have them trusted
(coterie trust add) or move the file away. A node that starts is not ready
before it has the newest version.`},
		{"COT-942", ExitDegraded, "node waits for approval",
			"compare the fingerprint with what coterie join shows there, then: coterie nodes approve",
			`The cluster asks for approval (coterie nodes approval on), and an installation
that nobody has approved wants to join. Until then it is not ready, and its
certificate is in nobody's trust store.`},
		{"COT-943", ExitRefused, "token is not good",
			"have another one made: coterie nodes token",
			`A one-time token is good for one installation, until it expires, and perhaps for
one name only. This one is unknown, used, expired, for another node, was tried
with a wrong secret ten times, or is no token. Which of these is not told to who
tries; coterie nodes token --list tells it to who may know.`},
		{"COT-944", ExitRefused, "fingerprint is another's",
			"ask who stands at that machine what coterie join shows there",
			`The installation that wants to join under this name has another fingerprint than
the one that was given: perhaps it was installed anew, perhaps somebody else
uses its name. Nothing was approved.`},
		{"COT-945", ExitUsage, "not a certificate",
			"give a file with a certificate in PEM or DER; coterie keystore convert --to pem takes one out of a keystore",
			`The file has no certificate that can be read. Only the first one of a file
counts.`},
		{"COT-946", ExitRefused, "alias or certificate is there already",
			"coterie trust show; coterie trust remove ALIAS",
			`Each certificate has one alias, and each alias one certificate.`},
		{"COT-947", ExitTimedOut, "not yet",
			"coterie trusts; it goes on by itself",
			`What was waited for did not happen within --wait. It goes on: when the node is
approved, or the servers answer, the agents act by themselves.`},
		{"COT-948", ExitRefused, "node has a session",
			"stop its agent first: coterie drain NODE, then systemctl stop coterie there; to have its certificate trusted no more at once: coterie nodes withdraw NODE",
			`A node that lives may hold leases, and they end only with its session. A node
whose machine is lost has none after a few seconds.`},
		{"COT-949", ExitNone, "no such certificate among those that were added",
			"coterie trust show",
			`No certificate was added under this alias. Those of nodes are their own: they go
when the node leaves, is evicted, or its approval is withdrawn.`},
	}
}
