package problem

// migrations are the problems of moving local folders to the share.
func migrations() []Entry {
	return []Entry{
		{"COT-401", ExitUsage, "installation not understood",
			"name the folder of the installation; --profile and --layout say what cannot be found out",
			`The folder has none of the files by which a profile knows its product, the
layout cannot be told from the property and the version, or a path cannot be
meant: it is relative, has a shell's abbreviation in it, or lies within the
other one.`},
		{"COT-402", ExitRefused, "migration objected to",
			"remove the cause; what may be accepted is accepted with --accept WORD",
			`Something would be lost or in the way: names that the share cannot hold, files
that are there already, no room, owners or modes that the share does not keep,
a folder that is on no network file system. Each objection has a word. Those
that may be accepted are, with --accept when the plan is made; the plan file
says so for ever.`},
		{"COT-403", ExitRefused, "not a plan for this",
			"coterie migrate plan makes one, on the host of the server",
			`The file is no plan, was changed since it was begun, or was made on another
host: a plan is carried out where its server is.`},
		{"COT-404", ExitRefused, "server is not stopped",
			"stop the server, and see that nobody has its files open; then the same command again",
			`A process of the server lives, somebody listens on its port, or files below
its folders are open. What is written while it is moved would be lost. The
copy alone may be made meanwhile: coterie migrate apply PLAN --copy.`},
		{"COT-405", ExitRefused, "another migration",
			"coterie migrate status PLAN says how far a plan is; go on with it, or roll it back",
			`Another run is at work on the same plan, another plan was begun for the
installation and not ended, or the share was filled by another plan. A further
server does not fill the share but joins: coterie migrate plan --join.`},
		{"COT-406", ExitRefused, "not the share of this plan",
			"mount the share as it was; to go back without it: coterie migrate rollback PLAN --leave-share",
			`The share's journal knows less than the installation's, or something else is
mounted there: it is another share, an empty mount point, or an older state of
the right one. Nothing is written to it.`},
		{"COT-407", ExitFailed, "files do not come to rest",
			"find out who writes them, and stop him; then the same command again",
			`Files changed again and again while they were copied. Nothing was published,
and the server uses its own folders.`},
		{"COT-408", ExitFailed, "share does not have what was moved there",
			"do not finish; look at the share and its mount options, then verify again",
			`Files of the share look as they were proved, and reading them gives another
content, or an error. The originals are still there: coterie migrate rollback
goes back to them.`},
		{"COT-409", ExitRefused, "not read back by another host",
			"coterie migrate verify PLAN waits for an agent; without agents, on another node: coterie migrate verify SHARE; if there is none: coterie migrate finish PLAN --alone",
			`The originals are deleted only when another host has read each file through
its own mount. A host that has written a file may show it from its own memory.
Agents of other nodes read it by themselves; coterie migrate status shows it.`},
		{"COT-410", ExitRefused, "share is in use",
			"coterie migrate rollback PLAN --leave-share goes back, and leaves on the share what is there",
			`The share has changed since the server uses it, or further servers use it.
Going back would take from them, or from you, what was written since.`},
		{"COT-411", ExitRefused, "too late for this, or too early",
			"coterie migrate status PLAN says how far it is",
			`The originals are deleted, so that there is nothing to go back to; or the plan
is being rolled back, and cannot be gone on with before that has ended; or the
server does not use the share, so that its originals are all it has.`},
		{"COT-412", ExitPartly, "migration stopped half-way",
			"nothing is lost: remove the cause, then the same command again",
			`A step could not be done. The journal says which are behind us, and the same
command goes on from there; coterie migrate rollback PLAN goes back. The
server can be started: it uses its old folders until the very last step.`},
		{"COT-413", ExitPartly, "originals left",
			"compare them with the share, and delete them by hand",
			`Some originals were not as they had been proved, had never been moved, or are
on the share no more. They were left where they are.`},
		{"COT-414", ExitTimedOut, "not read back yet",
			"coterie migrate status says who reads; on another host it is done at once by: coterie migrate verify SHARE",
			`The agent of another node has not read back yet what was moved to the share, or
could not. It must run on another host, have the same share as appdata.path, and
be allowed to read its files. It goes on by itself, and tries again what failed.`},
		{"COT-415", ExitFailed, "share does not answer",
			"mount the share again, or mend its server; then the same command again",
			`For a while nothing moved, and the share did not answer a simple question
either. What was begun was killed and left behind; it ends when the share
answers, at the latest when it is unmounted by force. Nothing is lost: the
server has its old folders whole, or the share whole, and the same command goes
on.`},
	}
}
