package problem

// storage are the problems of the shared folder. Those below COT-310 stand for
// a state of the folder on one node, as coterie.storages shows it.
func storage() []Entry {
	return []Entry{
		{"COT-301", ExitDegraded, "share is not mounted",
			"mount it, and let systemd order the agent after it with RequiresMountsFor=",
			`The shared folder is missing, or is an ordinary folder where a mount was
expected. What lies below the mount point is not the share: it is neither read
as "everything was deleted" nor written to.`},
		{"COT-302", ExitDegraded, "share hangs",
			"look at the file server and the network between",
			`A probe of the share did not come back within its deadline. The probe is a
process of its own that may hang as long as it likes; the agent does not. Jobs
that need the share will hang as well.`},
		{"COT-303", ExitDegraded, "share is read-only",
			"remount it with write access, and look at why it became read-only",
			`The share can be read but not written. File servers do that by export options,
kernels do it after errors.`},
		{"COT-304", ExitDegraded, "wrong share",
			"compare the mounts of the nodes",
			`There is a share at the path, but not the one that the cluster knows: its marker
file is another's or is missing. Perhaps another export is mounted here, or a
replica of it.`},
		{"COT-305", ExitDegraded, "share is full",
			"free space or inodes, or enlarge the share",
			`A probe could not write a small file because there is no room for it.`},
		{"COT-306", ExitDegraded, "share is stale",
			"mount it again",
			`The file server answers that it does not know the folder any more, as after an
export was replaced. Files that are open keep failing until the share is mounted
anew.`},
		{"COT-307", ExitDegraded, "share is of an old generation",
			"find out whether the share was restored from a backup",
			`The marker on the share is older than what the cluster has seen of it. The share
was probably restored or switched to a replica that lags behind.`},
		{"COT-308", ExitDegraded, "share is slow or flawed",
			"mend what the message names, and mount the share anew",
			`The share works, but slower than it should or without something that it should
have. The reason stands in the message.`},
		{"COT-309", ExitUsage, "share cannot be marked",
			"mount the share, or make the folder, then say coterie init again",
			`init marks the shared folder with the cluster's name and identity, so that
every node can tell it from an empty mount point and from another cluster's
folder. The folder named in appdata.path is not there or cannot be written. It
is never made up: a folder below a mount point that is not mounted would be the
wrong one.`},
		{"COT-310", ExitDegraded, "file differs",
			"coterie appdata diff NODE; coterie appdata diff NODE --take-from OTHER",
			`A file that should be the same on all nodes is not. Somebody has changed it on
one node, or a copy to that node was not finished. coterie.drifts says in what
it differs, since when, and from what: the node that coterie appdata reference
named, or what more than half of the nodes have. Where neither tells, as with
two nodes and no reference, both are listed and nobody says which is right. The
finding is gone when the files are the same again.`},
		{"COT-311", ExitRefused, "another scan has begun",
			"wait for it, or scan again: coterie appdata scan",
			`One scan of the share is at work at a time, so that an older look at a file is
never taken for a newer one. A scan that begins takes over; the one before it
stores nothing more. What it had stored stays.`},
		{"COT-312", ExitDegraded, "many files are missing",
			"see that the right share is mounted; if they are really gone: coterie appdata accept",
			`A scan did not find more than 1,000 files that were known, or more than a tenth
of them. So it looks when another folder is mounted, or one that is restored
from a backup. Nothing was removed from the manifest. If the files were really
deleted, say so with coterie appdata accept; the next scan then removes them.`},
		{"COT-313", ExitNone, "no such file or tree in the manifest",
			"coterie appdata files, or: select name from coterie.appdata_trees",
			`The manifest knows what scans have found: the tree share, and a tree node/NAME
for each node whose own files are scanned. A path is written as it is shown.`},
		{"COT-314", ExitDegraded, "two nodes do not see one share",
			"compare the mounts of the two nodes, source and options, and mend the wrong one",
			`Each node writes a word to the share that changes with each look, and every
other node reads it through its own mount. One of these two does not see what
the other writes, or sees nothing new of it: they have mounted different
exports, one of them a copy of the other perhaps, or a client shows what it
remembers. Whoever is not ready does not become ready. Of those that are, the
smaller part says that its share is the wrong one; of two, the one that joined
later.`},
		{"COT-315", ExitDegraded, "changes may have been missed",
			"coterie appdata scan; a job with the action coterie.verify-manifest does it by itself",
			`A node that watches the share has lost its watch, or its kernel had no room for
more events or folders, or more changed at once than a watch should tell. A scan
that begins now finds what was missed, and the finding is gone after it. Where
kernels run out of watches, raise fs.inotify.max_user_watches.`},
		{"COT-316", ExitDegraded, "hook for files did not work",
			"do what it should have done on that node, and mend it",
			`A hook that acts upon changes of the share failed on a node. It is given each
change once at most, so it is not tried again with these; the finding is gone
when it next works. coterie.appdata_hooks says how far each hook is.`},
		{"COT-317", ExitDegraded, "a node's own files cannot be looked at",
			"see that equal.root is there, and may be read by the user of the agent",
			`A node is to look at files that must be the same on all nodes, and cannot: the
folder is not there, or does not answer. What is known of them is from before,
and whether they differ now nobody knows.`},
		{"COT-318", ExitRefused, "file not taken from another node",
			"coterie appdata diff NODE says how it is now; take it again",
			`A file was to be taken from another node and was not: one of the agents is not
at work, the file changed meanwhile, it is no regular file, or it could not be
written. What was there before is there still, to the last byte.`},
		{"COT-319", ExitDegraded, "application not set as the cluster needs it",
			"coterie appdata settings INSTALLATION --set NAME=VALUE, or bring the file from a server that has it right",
			`A setting of the application is not as on the other servers and must be, or is
and must not be, or has not the value that a cluster needs. Servers that work on
different databases, or that take themselves for the only one, look well until
their users see different things.`},
		{"COT-320", ExitRefused, "another server loads this",
			"wait until that node has said: coterie appdata loads INSTALLATION --loaded; if it never will: coterie appdata loads --forget PATH",
			`A file that a server executes into the common database when it starts lies on
the share, and another node has taken it. This server would execute it as well,
and it cannot be switched off here without switching it off there. Do not start
this server yet.`},
		{"COT-321", ExitDegraded, "not the cluster's database",
			"compare the connection of the application with that of the other servers: coterie appdata settings INSTALLATION",
			`Where the connection of the application leads there is another database, or a
copy of the right one that does not follow it: a word that was written to the
cluster's database is not read there. Two servers of which each has its own
database serve different things.`},
		{"COT-322", ExitRefused, "not ready for an upgrade of all servers",
			"remove each cause; coterie appdata upgrade INSTALLATION, on each node, until none is left",
			`All servers of an application are upgraded together, and something speaks
against doing so now: a server is not stopped, somebody is connected to the
database, a job runs, there is no fresh backup, or patches of the old version
would be loaded by the new one. A server of the old version that works on a
database of the new one does harm that nobody sees at once.`},
		{"COT-323", ExitDegraded, "a node serves the share",
			"have a machine that runs no node serve it, or a storage system of several",
			`The share is mounted from the machine of one of the nodes. It works; but when
that machine is away, no other node has the files, so that all stop with it.`},
		{"COT-324", ExitUsage, "set-up plan cannot be used",
			"mend the file at the lines that are named; docs/appdata.md shows one",
			`A file for coterie appdata setup is no YAML, names a node or a step that is not
there, has a command that is no step of a set-up, or a word that stands only on
a command line. Nothing was done. Passwords do not belong into it: --set-from
reads them from files. The file names all nodes that have a part in it; a node
that it does not name can do none of its steps.`},
		{"COT-325", ExitFailed, "step of a set-up failed",
			"mend the cause, and repeat the command: what is done is not done again",
			`A step of the plan by which servers are set up could not be done on this node.
The cause is kept in coterie.app_steps, and what comes after it waits. A process
that was not heard of for some seconds, frozen perhaps, may find as well that
another has taken its step.`},
		{"COT-326", ExitRefused, "another set-up plan of that name",
			"use the file that was declared, or declare this one: --change",
			`A plan of that name was declared, and says something else than this file. So
that two files do not undo each other, a changed one is declared once, with
--change, and then used on all nodes. What is done, or is being done, must be in
it as it was: to do all of it again, give the plan another name.`},
	}
}
