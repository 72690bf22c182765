package mutants

// trial is a mutant that a test catches, without any fault from outside.
type trial struct {
	Mutant
	in, by string // package and test
}

// killed kills imports of bundles anywhere.
const killed = "TestAnImportThatIsKilledIsFinishedOrTakenBack"

// away are the scenarios of runs that go on while the database is away.
const away = "TestScenarios/away_.*"

var tried = []trial{
	// What the driver and the server say.
	{Mutant{"a commit that is local is believed", "Patroni #1412: a cancelled wait for the synchronous standby looks like success", []Edit{
		{"sql/schema/pooled.go", `said.Routine == "SyncRepWaitForLSN"`, `said.Routine == ""`},
	}}, "./leases/upheaval", "TestALocalCommitIsAnError"},
	{Mutant{"statements wait for vanished packets", "lib/pq #620, #450: a context's deadline does not end a read", []Edit{
		{"sql/schema/conn.go", "	if err := c.Conn.SetDeadline(c.deadline()); err != nil {\n		return 0, err\n	}\n	return c.Conn.Write(b)", "	return c.Conn.Write(b)"},
	}}, "./sql/schema", "TestAStatementEndsWithinItsBudgetWhenPacketsVanish"},
	{Mutant{"a hint that was missed is not made up for", "River PR #1564: notifications are lost while the listener reconnects", []Edit{
		{"sql/schema/listen.go", "if n == nil || l.Told == nil || !l.Told(n.Extra) {", "if n != nil && (l.Told == nil || !l.Told(n.Extra)) {"},
	}}, "./sql/schema", "TestAListenerHintsAtNotificationsAndAfterEachReconnect"},
	{Mutant{"the time is that of the transaction's start", "ShedLock #3577, #3682: CURRENT_TIMESTAMP stands still in a transaction, and two pods ran", []Edit{
		{"sql/schema/functions/clock.sql", "pg_catalog.clock_timestamp()", "pg_catalog.now()"},
	}}, "./sql/schema", "TestAnAssertionLateInALongTransactionIsRefusedRatherThanBelieved"},
	{Mutant{"trust counts from an answer that comes late", "pglock: a heartbeat may take as long as the lease, and counts from its end", []Edit{
		{"leases/loop.go", "Began: b.began,", "Began: now,"},
	}}, "./leases", "TestScenarios"},
	{Mutant{"a promoted standby goes on in the era that it knew", "every lease in a row: an asynchronous promotion gives fencing epochs twice", []Edit{
		{"sql/schema/functions/era_proved.sql", "c.proved_by OPERATOR(pg_catalog.=) pg_catalog.pg_postmaster_start_time()", "true"},
		{"sql/schema/functions/era_check.sql", "IF p_mark > coterie.last_token() THEN", "IF false THEN"},
		{"sql/schema/functions/tick.sql", "IF p_old THEN", "IF false THEN"},
	}}, "./leases/upheaval", "TestAPromotionThatLosesGrantsRepeatsNoToken"},
	{Mutant{"a clone within one server is taken for its original", "CREATE DATABASE ... TEMPLATE: two clusters with one name, one era and one sequence of tokens", []Edit{
		{"sql/schema/functions/era_proved.sql", "c.proved_in OPERATOR(pg_catalog.=) pg_catalog.pg_relation_filepath('coterie.cluster'::pg_catalog.regclass)", "true"},
	}}, "./leases/upheaval", "TestARestoredDatabaseBeginsANewEra/clone.*"},
	{Mutant{"distrust waits for those who return", "found here: after a pause the first thing seen was a holder that had returned", []Edit{
		{"leases/step.go", "		if s.lost {", "		if true {"},
	}}, "./leases", "TestAReturnThatIsSeenAfterAPauseEndsTheOthers"},
	{Mutant{"a heartbeat is said twice", "lib/pq #939: database/sql says a statement again whose answer was lost", []Edit{
		{"leases/call.go", "	defer conn.Close()\n	return do(conn)\n", "	defer conn.Close()\n	if err := do(conn); err != nil {\n		return err\n	}\n	return do(conn)\n"},
	}}, "./leases", "TestScenarios"},
	{Mutant{"an error quotes the password", "pg_auto_failover #1043: passwords in logs on a disconnect", []Edit{
		{"sql/schema/options.go", `if strings.Contains(dsn, "://") || strings.Contains(strings.ToLower(dsn), "pass") {`, "if false {"},
	}}, "./sql/schema", "TestNoErrorOfABadConnectionStringQuotesThePassword"},

	// Runs of jobs.
	{Mutant{"two runs of one job may be open", "dkron #541, Rundeck #1720: a job runs on two nodes, and nothing forbids it", []Edit{
		{"sql/schema/migrations/0022_runs.sql", "CREATE UNIQUE INDEX run_open", "CREATE INDEX run_open"},
	}}, "./jobs", "TestADirectClientCannotOpenASecondRun"},
	{Mutant{"a dead node's run stays open", "Rundeck #2783: a run whose node died blocks its schedule for ever", []Edit{
		{"sql/schema/functions/run_close_lost.sql", "AND r.token = p_open.token AND r.outcome = 'running'", "AND r.token = p_open.token AND r.outcome = 'lost'"},
	}}, "./jobs", "TestARunOfAFormerHolderIsClosedAsLost"},
	{Mutant{"a fenced run stops with its lease", "hours of work are lost with a database that is back soon", []Edit{
		{"jobs/tenure.go", "t.outlasts && t.begun && errors", "false && t.begun && errors"},
	}}, "./jobs", away},
	{Mutant{"every run outlasts its lease", "kubernetes #67651, cilium PR #42920: a leader acts on after its lease has ended", []Edit{
		{"jobs/attempt.go", "h.begins(h.def.outlasts(action))", "h.begins(true)"},
	}}, "./jobs", away},
	{Mutant{"a fenced run starts after its lease is lost", "what was about to start is taken for what has started", []Edit{
		{"jobs/tenure.go", "t.outlasts && t.begun && errors", "t.outlasts && errors"},
		{"jobs/tenure.go", "	return t.cause\n", "	return nil\n"},
	}}, "./jobs", away},
	{Mutant{"a fenced run survives its node's leave", "dkron: 22 programs lived on after their agent was killed", []Edit{
		{"jobs/tenure.go", "errors.Is(cause, leases.ErrLost)", "(errors.Is(cause, leases.ErrLost) || true)"},
	}}, "./jobs", away},
	{Mutant{"the next run begins beside the one that outlasts its lease, on one node", "a job runs beside itself, and its policy says that it does not", []Edit{
		{"jobs/keep.go", "		k.former.next = k // its run goes on: that is waited for\n		return true\n", "		k.former.next = k\n"},
	}}, "./jobs", away},
	{Mutant{"the end of a run counts that was closed as lost", "what others have acted on is not true any more", []Edit{
		{"sql/schema/functions/run_end.sql", "AND r.nonce = p_nonce AND r.outcome = 'running'\n", "AND r.nonce = p_nonce AND r.outcome IN ('running', 'lost')\n"},
		{"sql/schema/functions/run_end_all.sql", "AND r.nonce = e.nonce AND r.outcome = 'running'\n", "AND r.nonce = e.nonce AND r.outcome IN ('running', 'lost')\n"},
	}}, "./jobs", away},
	{Mutant{"what a run says too late is forgotten", "what was done by a node that others had given up is nowhere", []Edit{
		{"sql/schema/functions/run_end.sql", "IF stands IS DISTINCT FROM p_outcome AND p_outcome <> 'lost' THEN", "IF false THEN"},
	}}, "./jobs", away},

	// Schedules.
	{Mutant{"a schedule with a time zone reaches the parser", "robfig/cron: TZ= and TZ=0 panic", []Edit{
		{"jobs/schedule.go", `strings.HasPrefix(s.text, "TZ=") || strings.HasPrefix(s.text, "CRON_TZ=")`, "false"},
		{"jobs/schedule.go", "if p := recover(); p != nil {", "if p := any(nil); p != nil {"},
	}}, "./jobs", "TestScheduleThatMeansNothingIsRefusedWithARemedy"},
	{Mutant{"a schedule that never comes is accepted", "robfig/cron: 0 0 30 2 * is accepted and never runs", []Edit{
		{"jobs/schedule.go", "if _, ok := f.next(0); !ok {", "if _, ok := f.next(0); !ok && false {"},
	}}, "./jobs", "TestScheduleThatMeansNothingIsRefusedWithARemedy"},
	{Mutant{"an interval counts from the start of the process", "robfig/cron; River #791: @every begins anew at each restart, and a job with a long interval never runs", []Edit{
		{"jobs/schedule.go", "return (at - mod(at, width)) / width", "return (at - mod(at-time.Now().UnixMilli(), width)) / width"},
	}}, "./jobs", "TestTheGridOfEveryDoesNotDependOnWhoAsksWhen"},
	{Mutant{"what summer time skips does not run", "robfig/cron: 30 2 * * * does not run on the day of the change", []Edit{
		{"jobs/civil.go", "if offset > before && r.gap == GapSkip ||", "if offset > before ||"},
	}}, "./jobs", "TestASlotInTheSkippedHourRunsOnceAfterTheGap"},
	{Mutant{"what winter time repeats runs twice", "robfig/cron, Temporal #8205: 30 1 * * * runs twice on the day of the change", []Edit{
		{"jobs/civil.go", "		r.fold = FoldFirst\n", "		r.fold = FoldBoth\n"},
	}}, "./jobs", "TestASlotInTheRepeatedHourRunsInTheFirst"},

	// Nodes.
	{Mutant{"a state without a way out", "pg_auto_failover #1025: a node that fenced itself has no edge to leave by", []Edit{
		{"coordinator/state.go", "	case s == Draining || s == Drained:\n		return Ready", "	case s == Draining:\n		return Ready"},
	}}, "./coordinator", "TestNextFollowsOnlyEdgesAndUsesEachOfThem"},
	{Mutant{"told to stop, a publisher gives its lock up before the file is in place", "db-scheduler #365: after a signal the heartbeat ended before the work did", []Edit{
		{"cmd/coterie/publish.go", "tx, err := db.BeginTxx(context.WithoutCancel(ctx), nil)", "tx, err := db.BeginTxx(ctx, nil)"},
	}}, "./cmd/coterie", "TestATermAfterTheAssertionDoesNotGiveUpTheLease"},
	{Mutant{"descendants escape", "dkron: 22 plugin processes lived on after their agent was killed", []Edit{
		{"coordinator/supervisor/os_linux.go", "return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)", "return nil"},
	}}, "./coordinator/supervisor", "TestNoDescendantEscapes"},
	{Mutant{"a share that went away is an empty one", "mirrors and backups that run while the share is not mounted: everything was deleted", []Edit{
		{"appdata/scan.go", "		check = func() error { return nil }\n	}\n", "	}\n	check = func() error { return nil }\n"},
	}}, "./appdata", "TestScanOfAnUnmountedShareIsVoid"},
	{Mutant{"a file is replaced in place", "copying in place, as cp does: a reader sees half a file", []Edit{
		{"internal/atomicfile/atomicfile.go", "tmp, made, err := temporary(target, first)", `made := first
	tmp, err := os.OpenFile(target, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)`},
	}}, "./internal/atomicfile", "TestReadersSeeTheOldOrTheNewContent"},

	// Migrations.
	{Mutant{"what was proved is believed by the next run", "the server was started again between two runs of a migration: what it wrote stays behind", []Edit{
		{"appdata/migrate/run.go", "\t\tif r.ends.journal.Done(s) {\n", "\t\tif r.ends.journal.Done(s) && false {\n"},
	}}, "./test/migrate", "TestWhatIsWrittenBetweenTwoRunsIsMovedToo"},
	{Mutant{"old files are laid over new ones", "a run was killed between the cut-over and its record, and the server has written to the share since", []Edit{
		{"appdata/migrate/run.go", "} else if in && j.Begun(Cut) {", "} else if in && j.Done(Cut) {"},
	}}, "./test/migrate", "TestAServerThatUsesTheShareIsNotOverwrittenByTheNextRun"},
	{Mutant{"going back takes what was written since", "a rollback that removes the share's copies without a look at them", []Edit{
		{"appdata/migrate/back.go", "if seen.Bad > 0 || seen.Changed > 0 || seen.Missing > 0 || seen.New > 0 {", "if seen.Bad > 0 {"},
	}}, "./test/migrate", "TestAServerThatUsesTheShareIsNotOverwrittenByTheNextRun"},
	{Mutant{"a host's own word counts", "a client shows what it has written from its own memory, and the server of the share never had it", []Edit{
		{"appdata/migrate/clear.go", "case one.Machine == p.Machine:", "case one.Machine == \"\":"},
	}}, "./test/migrate", "TestOriginalsStayUntilAnotherHostHasReadTheShare"},
	{Mutant{"originals are deleted unseen", "rm -r of the old folders, with what was written there after the copy", []Edit{
		{"appdata/migrate/clear.go", "if looks(info, true) != one.From {", "if looks(info, true) == \"\" {"},
	}}, "./test/migrate", "TestOriginalsStayUntilAnotherHostHasReadTheShare"},
	{Mutant{"an empty mount point is taken for the share", "the share was not mounted, and the rest of a migration went to the disk below it", []Edit{
		{"appdata/migrate/ledger.go", "if !there.Covers(e.journal) {", "if there.Plan == \"\" {"},
	}}, "./test/migrate", "TestTheShareOfAnotherTimeOrPlanIsLeftAlone"},
	{Mutant{"the local journal is written first", "a kill between the two: the share seems to know less than it does", []Edit{
		{"appdata/migrate/ledger.go", "\tif _, err := os.Stat(e.share); err == nil {\n\t\tif err", "\tif err := writeJournal(e.local, next); err != nil {\n\t\treturn err\n\t}\n\te.between()\n\tif _, err := os.Stat(e.share); err == nil {\n\t\tif err"},
	}}, "./test/migrate", "TestAKillBetweenTheTwoJournalsMakesTheShareNoOther"},

	// Bundles.
	{Mutant{"an import writes into the files", "unpacking over an installation: who is killed leaves a file that is half the old and half the new one", []Edit{
		{"appdata/bundle/forward.go", "		return d.root.Rename(at.fresh, o.Path)\n", "		text, err := d.root.ReadFile(at.fresh)\n		for _, n := range []int{len(text) / 2, len(text)} {\n			if err == nil {\n				err = d.root.WriteFile(o.Path, text[:n], 0o644)\n				time.Sleep(time.Millisecond)\n			}\n		}\n		return err\n"},
	}}, "./test/bundle", killed},
	{Mutant{"an import takes the old file away first", "rm before mv: for a moment, or for good, there is none", []Edit{
		{"appdata/bundle/forward.go", "		return d.root.Rename(at.fresh, o.Path)\n", "		if !o.Was.none() {\n			if err := d.root.Remove(o.Path); err != nil {\n				return err\n			}\n			time.Sleep(time.Millisecond)\n		}\n		return d.root.Rename(at.fresh, o.Path)\n"},
	}}, "./test/bundle", killed},
	{Mutant{"what an import replaces is not kept", "AppBoard's filesimport: there is no way back but a backup of one's own", []Edit{
		{"appdata/bundle/forward.go", "		if !o.Was.none() {\n			im.did(\"keep %s\", o.Path)\n", "		if false {\n			im.did(\"keep %s\", o.Path)\n"},
	}}, "./test/bundle", killed},
	{Mutant{"an import that was killed is forgotten", "the next one starts anew upon a tree that is old and new, and its way back leads there", []Edit{
		{"appdata/bundle/undo.go", "		if e.state != undoing {\n", "		if e.state == doing {\n			return nil, errors.Join(d.root.RemoveAll(filepath.Join(d.dir, e.String())), fault(Nothing, \"\", \"no import can be taken back\"))\n		}\n		if e.state != undoing {\n"},
	}}, "./test/bundle", killed},
}
