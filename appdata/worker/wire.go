package worker

import (
	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/appdata/migrate"
)

// request is a line to the worker; exactly one of its kinds is set.
type request struct {
	ID    int64          `json:"id"`
	Probe *appdata.Share `json:"probe,omitempty"`
	Touch *appdata.Share `json:"touch,omitempty"`
	Look  *appdata.Look  `json:"look,omitempty"`
	Watch *watch         `json:"watch,omitempty"`

	Expect  *appdata.Expect  `json:"expect,omitempty"`
	Publish *appdata.Publish `json:"publish,omitempty"`
	Own     *appdata.Own     `json:"own,omitempty"`
	Text    *appdata.OwnText `json:"text,omitempty"`
	Take    *appdata.Take    `json:"take,omitempty"`
	Moved   *migrate.Reader  `json:"moved,omitempty"`
}

// answer is the line that comes back.
type answer struct {
	ID        int64              `json:"id"`
	Condition *appdata.Condition `json:"condition,omitempty"`
	Place     *string            `json:"place,omitempty"`
	Looked    *appdata.Looked    `json:"looked,omitempty"`
	Dirty     *appdata.Dirty     `json:"dirty,omitempty"`
	Missing   *int               `json:"missing,omitempty"`
	Published *appdata.Published `json:"published,omitempty"`
	Own       *appdata.OwnFound  `json:"own,omitempty"`

	Text  *appdata.OwnTextRead `json:"text,omitempty"`
	Taken *appdata.Taken       `json:"taken,omitempty"`
	Mark  *migrate.Mark        `json:"mark,omitempty"`

	Error string `json:"error,omitempty"`
}

// maxLine bounds what either side reads of the other.
const maxLine = 16 << 20
