// Package manifest keeps in the database what scans find in the shared folder.
//
// Package appdata scans and compares, and knows no database; this one stores.
//
//	Begin   a scan gets a number; one that began earlier stores nothing more
//	Load    what is known: folders with their sums, and their entries as text
//	Put     what differs, some thousand entries at a time, and the changes for the journal
//	Finish  the tree is known as a whole
//	Survey  all of this in order, for one scan
//	Teller  stores what a watch tells between scans; its folders have no sums until the next
//	OwnSurvey  the same for files that a node has of its own; coterie.own_settle then says what differs
//
// Laws:
//
//   - Each Put is one statement and its own transaction: a scan that is killed
//     leaves what it had stored, and the next one takes that up.
//   - Before anything is stored the share is asked whether it is still there,
//     and ours. What was read from another folder never reaches the database.
//   - A file that was not found is removed only when it was looked for twice,
//     and the share was there before and after. Where many are missing at once
//     nothing is removed: an operator is asked.
//   - What a node told of a folder after the scan had read what is known of it
//     stands; the next scan looks there again.
//   - What is told of a folder was compared with what is stored of it at that
//     moment, or it is compared again: two who hear of one change tell it once.
//   - An answer that was lost is no loss: storing twice stores the same.
package manifest
