package problem

// jobs are the problems of schedules and runs.
func jobs() []Entry {
	return []Entry{
		{"COT-501", ExitUsage, "job file has errors",
			"correct the file; coterie jobs apply -n shows what it would change",
			`The file of jobs could not be understood. Nothing was changed: a file is applied
as a whole or not at all.`},
		{"COT-502", ExitUsage, "action is not defined",
			"add it to actions: in the configuration of every node that may run the job",
			`A job names an action that no node has in its configuration. What
jobs may run is defined in the local file and never in the database, so that who
can write the database still cannot choose programs.`},
		{"COT-503", ExitFailed, "run did not succeed",
			"coterie why JOB",
			`The run ended with an exit code or status that does not count as success, was
stopped at its time limit, or was lost with its node. The record of the run has
the end of its output.`},
		{"COT-504", ExitRefused, "run refused",
			"coterie jobs JOB says why",
			`The run was not begun: the job is switched off, or a run of it is still going on
and the job does not allow two at once.`},
		{"COT-505", ExitTimedOut, "run not finished",
			"coterie jobs JOB; the run goes on by itself",
			`The run had not ended within the time that the command was willing to wait.`},
		{"COT-506", ExitRefused, "jobs were changed meanwhile",
			"look at coterie jobs, and apply the file again",
			`Between reading the jobs and changing them, somebody else changed one. Nothing
was changed, so that nobody's work is lost unseen.`},
		{"COT-507", ExitRefused, "parameter refused",
			"see params of the action in the configuration: coterie config show",
			`An action takes the parameters that the node's own configuration says, within
the bounds that stand there. This one is not among them, or out of bounds.`},
		{"COT-510", ExitNone, "no such job",
			"coterie jobs",
			`There is no job of this name.`},
		{"COT-511", ExitDegraded, "job is overdue",
			"coterie why JOB",
			`A due time of the job has passed and no node has begun it. Perhaps no node that
is ready has its action, or all are draining, or the database was away. It will
be run late, skipped or recorded as missed, as the job's misfire rule says.`},
		{"COT-512", ExitDegraded, "job keeps failing",
			"coterie jobs JOB; the record of its last run has the end of its output",
			`The last runs of the job did not succeed, one after the other.`},
		{"COT-513", ExitDegraded, "nobody takes the job",
			"add its action to the configuration of a node, or resume a node that has it",
			`The job is due by its schedule, but no living node takes it: none that is ready
has its action. Its slots will be missed or run late.`},
		{"COT-514", ExitDegraded, "jobs are paused",
			"coterie unpause JOB, or coterie unpause --jobs",
			`Somebody paused the job, or all jobs. Nothing is begun until the pause ends; the
slots of that time are then recorded as skipped, with who paused it and why.`},
		{"COT-520", ExitNone, "nothing of that name",
			"coterie jobs, coterie nodes, coterie leases",
			`There is no job, node or lease of this name, and no history of one.`},
		{"COT-521", ExitNone, "nothing is known of that time",
			"coterie events shows how far the history goes back",
			`Nothing was written down of this thing before the time that was asked about:
it did not exist, or that part of the history is no longer kept.`},
		{"COT-522", ExitNone, "no such run",
			"coterie jobs JOB shows its runs",
			`The job has no run that was due at this time, or it is no longer kept. Slots
that were skipped or missed did not run and have said nothing.`},
		{"COT-523", ExitNone, "no such request",
			"coterie requests",
			`No request of this number waits. Perhaps it has been run or withdrawn meanwhile:
coterie jobs JOB shows the run that it became.`},
		{"COT-530", ExitDegraded, "certificate ends soon",
			"put a new one in its place, and look again: coterie run JOB",
			`A certificate that the action coterie.check-certificates saw ends within thirty
days (note), seven (warning) or one (error), or has ended. Clients will refuse
whoever serves it then. coterie.expiries has them all.`},
		{"COT-531", ExitDegraded, "certificate cannot be seen",
			"look at the file or the address that is named",
			`A file or address that is to be looked at could not be: it is not there, no
password that is configured opens it, it answers no handshake, or it serves a
certificate that is not for its name. Nobody would notice that it ends.`},
		{"COT-532", ExitFailed, "backup may not read everything",
			"give the role what it needs: GRANT pg_read_all_data TO the role of backup.dsn",
			`A backup is made by pg_dump, which must be allowed to read each table. The
login of an agent may call functions and read views only, so a backup has a role
of its own: backup.dsn and backup.password_file name it.`},
		{"COT-533", ExitFailed, "pg_dump is too old",
			"install the client programs of the server's version, or name them in backup.program",
			`pg_dump backs up servers of its own version and older ones.`},
		{"COT-534", ExitDegraded, "share deviates from its manifest",
			"look at what the run names: coterie jobs JOB --log last",
			`A job with the action coterie.verify-manifest found files whose content is
another though size and time of change are as before: a disk that forgets, or
somebody who covered his tracks. With changes=fail any change is a deviation.
The manifest knows the share as it is now; what changed is in the journal:
coterie appdata changes.`},
	}
}
