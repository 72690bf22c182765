package migrate

import "fmt"

// AtWork says whether an objection is of a server that is not stopped.
func AtWork(o Objection) bool {
	return o.Word == "running" || o.Word == "open-files" || o.Word == "unseen-processes"
}

// Steps are the steps that are left to a goal, in words.
func Steps(goal Goal, p Plan, j Journal) ([]string, error) {
	next, err := Next(goal, p.Join, j)
	if err != nil || next == "" {
		return nil, err
	}
	var left []string
	for _, s := range wayTo(goal, p.Join, j) {
		if !j.Done(s) {
			left = append(left, Sentence(s, p))
		}
	}
	return left, nil
}

// Sentence says what a step does.
func Sentence(s Step, p Plan) string {
	told := "edit " + p.Profile.Property.File
	if p.Layout.Links {
		told = "put links in the old places"
	}
	switch s {
	case Begin:
		return fmt.Sprintf("begin plan %s", p.ID)
	case Copy:
		return fmt.Sprintf("copy what is below %s to a stage in %s", p.From, p.To)
	case Prove:
		return "read both ends and compare them"
	case Publish:
		return "give the copies their names in " + p.To
	case Cut:
		return told
	case Clear:
		return "delete the originals below " + p.From
	case Restore:
		return "undo what was told to the server: " + told
	case Withdraw:
		return "take their names in " + p.To + " from the copies"
	case Sweep:
		return "remove what is left of plan " + p.ID
	}
	return string(s)
}
