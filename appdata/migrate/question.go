package migrate

import (
	"slices"
	"strings"

	"github.com/coterie-ha/coterie/appdata"
)

// Question is a setting of a server that joins which is missing, or contradicts those of
// the others, and which the plan can set: who knows the server may say its value.
type Question struct {
	Setting Setting
	Why     []string // what is wrong with it
	Offer   string   // what the others have, where it must agree and may be shown
	Secret  bool     // the others' has a password in it
	others  []Server
}

// Questions are those that a plan leaves open, of settings that were not accepted as they
// are. The answers are for Ask.Set.
func (p Plan) Questions() []Question { return slices.Clone(p.questions) }

// wonder asks what a setting is to be, where a value can set it right.
func (p *Plan) wonder(v Verdict, others []Server) {
	s := v.Setting
	if s.Key == "" || s.File != p.Profile.Property.File {
		return
	}
	for i := range p.questions {
		if p.questions[i].Setting.Name() == s.Name() {
			p.questions[i].Why = append(p.questions[i].Why, v.Text)
			return
		}
	}
	q := Question{Setting: s, Why: []string{v.Text}, others: others}
	if s.Must == Agree && len(others) > 0 {
		theirs := others[0].Values[s.Name()]
		if theirs == "" {
			return // no value is as good as none
		}
		if q.Secret = strings.Contains(theirs, appdata.Masked); !q.Secret {
			q.Offer = theirs
		}
	}
	p.questions = append(p.questions, q)
}

// Wrong says why a value is no answer; empty when it is one.
func (q Question) Wrong(value string) string {
	here := map[string]string{}
	if strings.TrimSpace(value) != "" {
		here[q.Setting.Name()] = WithoutSecrets(value)
	}
	for _, v := range Judge([]Setting{q.Setting}, here, q.others) {
		if !v.Theirs {
			return v.Text
		}
	}
	return ""
}
