package appdata

import "time"

// unrest is where something happened of which it was not told yet.
type unrest struct {
	settle, most time.Duration // a folder is told when it rested so long, or is not at rest for so long
	folders      map[string]*restless
	lost         string // why something may have been missed
}

// restless is a folder in which something happened.
type restless struct {
	first, last time.Time
	files       map[string]time.Time // last write of each
}

func newUnrest(settle, most time.Duration) unrest {
	return unrest{settle: settle, most: most, folders: map[string]*restless{}}
}

// stir notes that something happened in a folder.
func (u *unrest) stir(folder string) *restless {
	now := time.Now()
	r := u.folders[folder]
	if r == nil {
		r = &restless{first: now, files: map[string]time.Time{}}
		u.folders[folder] = r
	}
	r.last = now
	return r
}

// settled takes out what is to be told now.
func (u *unrest) settled(now time.Time) Dirty {
	d := Dirty{Lost: u.lost}
	u.lost = ""
	// What is told takes its neighbours in time with it: a file that went from one
	// folder to another is a rename only to who looks at both.
	rest := u.settle
	for _, r := range u.folders {
		if now.Sub(r.last) >= u.settle || now.Sub(r.first) >= u.most {
			rest = u.settle / 2
		}
	}
	for folder, r := range u.folders {
		if now.Sub(r.last) < rest && now.Sub(r.first) < u.most {
			continue
		}
		d.Folders = append(d.Folders, Quote(folder))
		for name, at := range r.files {
			if now.Sub(at) < u.settle {
				d.Busy = append(d.Busy, Quote(name))
			} else {
				delete(r.files, name)
			}
		}
		if len(r.files) == 0 {
			delete(u.folders, folder)
		} else {
			r.first = now // those that are busy have as long again
		}
	}
	return d
}
