package problem

// bundles are the problems of files that are carried from one environment to another.
func bundles() []Entry {
	return []Entry{
		{"COT-373", ExitUsage, "profile cannot be used",
			"see the manual page bundles for what a profile has",
			`The file that --profile names is not there, is no YAML, has a key that
profiles do not have, or a pattern that can fit nothing.`},
	}
}
