package problem

// keystores are the problems of keystores, their passwords, and trust.
func keystores() []Entry {
	return []Entry{
		{"COT-901", ExitUsage, "not a keystore",
			"name a PKCS12, JKS or JCEKS file, or PEM with a key and its certificate",
			`The file is empty, a certificate or key by itself, or something else entirely.
The content tells the format, not the file's name.`},
		{"COT-902", ExitFailed, "keystore is damaged",
			"copy the file again from where it was made, in binary mode",
			`The file begins as a keystore and does not go on as one: it was cut, copied as
text, or is being written at this moment. Nothing of it was used.`},
		{"COT-903", ExitRefused, "wrong password",
			"look at the password file; the password is its one line",
			`The password does not open the keystore, or the file was altered since it was
written: what proves the one proves the other, and they cannot be told apart.`},
		{"COT-904", ExitRefused, "keystore asks for too much",
			"write it anew with fewer entries, or with at most 100,000 rounds of key derivation",
			`A file may have 4 MiB, 2,000 entries and certificates, and ask for two million
rounds of key derivation in all. One that asks for more would stop every node
that looks at it; it was not obeyed.`},
		{"COT-905", ExitRefused, "keystore is written in an unsupported way",
			"write it anew: keytool -importkeystore, or openssl pkcs12 -export",
			`The file uses something that this program, or the servers which it is for, do
not know: a MAC of PBMAC1, BER of indefinite length, scrypt, an unknown
cipher. Or a form was asked for that is only read (jceks).`},
		{"COT-906", ExitRefused, "nothing proves that the keystore is whole",
			"write it anew with a password",
			`The file has private keys and no MAC: anybody could have changed it.
Certificates alone are shown from such a file, with a warning.`},
		{"COT-907", ExitRefused, "alias is unfit",
			"keytool -changealias gives the entry another name",
			`The alias has a character that cannot be seen, is empty or too long, or
differs from another in case only: Java would see one of the two.`},
		{"COT-908", ExitNone, "no such alias",
			"coterie keystore show FILE lists the aliases",
			`The keystore has no entry of this alias, it is not a private key, or there are
several private keys and nothing says which is meant.`},
		{"COT-909", ExitRefused, "key has another password",
			"give the key's own password with --key-password-file",
			`An entry is protected by a password that was not given, or is of a kind that
only its own format can hold. It was not changed, and nothing was written.`},
		{"COT-910", ExitUsage, "password file is unfit",
			"write the password as the only line of a file that only its owner can read (chmod 600)",
			`The file can be read by everybody, is not a regular file, has several lines,
or begins with a byte order mark, which would become part of the password.`},
		{"COT-911", ExitRefused, "password is not ASCII",
			"give another password with --out-password-file, or write jks",
			`Java refuses to open a PKCS12 file whose password has other characters than
those of ASCII. So none is written.`},
		{"COT-912", ExitRefused, "private key is unfit",
			"make a new key: RSA of 2,048 to 8,192 bits, or EC of 256 bits or more",
			`The key is of a kind that is not computed with, is longer than 8,192 bits, or
its numbers do not fit together.`},
		{"COT-913", ExitDegraded, "server or its clients would refuse the keystore",
			"correct what is listed; coterie keystore show FILE --check looks again",
			`The file can be read, and yet a server that starts with it, or a client that
calls that server, would object: the key is not that of the certificate, the
chain is out of order, a date has passed, a name is missing, or an algorithm
is too weak.`},
		{"COT-915", ExitRefused, "node has no sealing key",
			"start its agent, which publishes one within seconds; coterie nodes",
			`A keystore is sealed to each node of the cluster, and this one has not said by
which key: its agent has not run since this version of the program was
installed. A node that is gone for good is no hindrance once it has left.`},
		{"COT-916", ExitRefused, "sealed to somebody else",
			"look who wrote the row: coterie events; start the node's agent again, which publishes its key",
			`The key to which a keystore would be sealed is not signed by the identity of
its node, or a version does not open with the key that is at hand: it is
sealed to another, or was moved or altered in the database.`},
		{"COT-917", ExitRefused, "somebody else staged a version",
			"coterie keystore show; then stage again if it is still wanted",
			`Two people staged a version at once. The first one's stands; of the second
one's nothing was kept.`},
		{"COT-918", ExitNone, "no such version of a keystore",
			"coterie keystore show",
			`The database has no such version, or no keystore of this name.`},
		{"COT-919", ExitRefused, "not at home on this node",
			"run it on a node that has joined, as the user of its agent",
			`A keystore is sealed to the identity that a node made when it joined. That is
kept in the node's state directory (node.key), which is not here, or which the
caller may not read.`},
		{"COT-920", ExitDegraded, "server shows another certificate",
			"put the version in place on that node (coterie keystore place), and have the server reload it",
			`By a handshake the server showed another certificate than the one that was
expected: it was not told to reload its keystore, could not, or somebody else
listens at that port.`},
		{"COT-921", ExitFailed, "server shows no certificate",
			"look whether the server is up, and speaks TLS at that port",
			`No handshake came about: nothing listens there, it does not speak TLS, or it
did not answer within ten seconds.`},
		{"COT-922", ExitFailed, "server did not take its keystore up",
			"look at the manager's URL, user and role (manager-script), and at the server's log",
			`The server was asked to reload its keystore and did not. It goes on with the
certificate that it has. The files that were there before were put back.`},
		{"COT-923", ExitRefused, "node would not take the version",
			"mend what it names, then say it again; the nodes look anew: coterie keystore activate",
			`Before anything is changed every living node opens the version and looks at it
as its server would. One of them would not take it, or did not answer. No
server was touched, and the version is marked as rejected.`},
		{"COT-924", ExitFailed, "version was brought back",
			"look at the log of that node's server; coterie keystore status; then activate it again, or stage another",
			`A node could not put the version in place, or its server did not show the
certificate in time. Every living node was given back what it had; the version
that was active before is active still. As a finding: a node has yet to get it
back, which it tries for as long as it lives.`},
		{"COT-925", ExitRefused, "somebody else was faster",
			"coterie keystore status; then say it again if it is still wanted",
			`A version of this keystore is on its way to the nodes already, or became the
active one since you looked. Nothing of the second order was done.`},
		{"COT-926", ExitDegraded, "node does not serve the active version",
			"coterie keystore status; then start the node's agent again, or coterie keystore place on it",
			`What is in place on the node is not what the cluster wants: somebody changed
the file, the server shows an older certificate or none, or it did not take up
its keystore when it was asked. A file that somebody changed is left to him; an
agent that starts puts the active version in place.`},
		{"COT-927", ExitNone, "nothing to go back to",
			"coterie keystore show; coterie keystore activate --version NUMBER",
			`No version of the keystore was active before the present one.`},
		{"COT-928", ExitTimedOut, "rollout goes on",
			"coterie keystore status; coterie keystore rollback calls it back",
			`The time that the command was to wait has passed. The rollout itself goes on,
and goes back by itself when nothing moves for its patience.`},
		{"COT-930", ExitDegraded, "node sees another encryption keystore",
			"coterie keystore encryption; give the node the right file; if another is meant: coterie keystore accept",
			`conf/encryption.keystore has the key of what the server keeps secret. A node
that has another one could read nothing of that, and would write what no other
can read, so it stays joining until it sees the one that the others see. A
node that is ready already stays so, since its server read the file when it
started. The agent never writes that file.`},
		{"COT-931", ExitNone, "no encryption keystore is watched",
			"set appdata.layout to ucd, or keystore.encryption, and start the agents again",
			`No node has told what it sees of an encryption keystore: none is configured to
look at one.`},
		{"COT-932", ExitRefused, "which encryption keystore is meant",
			"name it: coterie keystore accept --sha256 DIGEST",
			`Living nodes see different files, none of them sees what was named, or somebody
else decided meanwhile. Nothing was changed.`},
		{"COT-933", ExitDegraded, "copy of the keystore on the share is not the active version",
			"look at the file, its folder and their rights; it is written again by itself",
			`One node, which holds the lease of the keystore, has the active version lie on
the share as well (keystore.copy). It could not be read or written. It is tried
again after five seconds, then more and more seldom, every five minutes at last.`},
		{"COT-934", ExitFailed, "certificate was not renewed",
			"look at renewal.command and what it says; it is run again by itself",
			`The program that renews the certificate failed, took longer than
renewal.timeout, or left a file that is no new keystore which servers and their
clients would take. It is run again after renewal.retry, and twice as long after
each further failure, a day at most.`},
		{"COT-935", ExitRefused, "sealed by a newer version of coterie",
			"upgrade the program on this node to that version",
			`Whoever staged the version runs a newer coterie than this one, and sealed it
in a form that this one does not know. Nothing is wrong with the version
itself; a node with the old program votes against it (COT-923), so that it
reaches none.`},
		{"COT-914", ExitFailed, "keystore was not written",
			"look at the folder, its rights and the room on its disk; the old file is as it was",
			`The new file could not be put in place. Whatever was there before is
unchanged.`},
	}
}
