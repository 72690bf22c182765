package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-ha/coterie/appdata"
	"github.com/coterie-ha/coterie/internal/table"
)

func (c *cli) appdataRecipe() *cobra.Command {
	var nodes []string
	var user, group string
	cmd := &cobra.Command{
		Use:   "recipe SOURCE FOLDER",
		Short: "Print how to serve a share and how to mount it",
		Long: `Prints what to write and to run on the file server and on each node, so that a
folder of the server becomes the share at FOLDER. SOURCE is HOST:/FOLDER for
NFS, //HOST/NAME for SMB. Nothing is changed. The options of mount are those
about which "coterie appdata check" has nothing to say.`,
		Example: `  coterie appdata recipe nas1:/srv/deploy /media/deploy --nodes app-a,app-b
  coterie appdata recipe //nas1/deploy /media/deploy --nodes app-a --user deploy`,
		Args: func(cmd *cobra.Command, args []string) error { return words(cmd, args, 2, 2, "SOURCE and FOLDER") },
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := appdata.NewRecipe(args[0])
			if err != nil {
				return usageProblem("%v", err)
			}
			r.Point, r.Nodes, r.User, r.Group = args[1], nodes, user, orElse(group, user)
			if len(nodes) == 0 {
				return usageProblem("name the nodes: the server lets in nobody else; --nodes app-a,app-b")
			}
			if err := r.Check(); err != nil {
				return usageProblem("%v", err)
			}
			return c.tellRecipe(r)
		},
	}
	cmd.Flags().StringSliceVar(&nodes, "nodes", nil, "`HOSTS`, names or addresses, that may mount it")
	cmd.Flags().StringVar(&user, "user", "coterie", "`NAME` of the user, of each node and the server, whom the files belong to")
	cmd.Flags().StringVar(&group, "group", "", "`NAME` of the group; that of the user when left out")
	return cmd
}

// tellRecipe prints steps so that a line can be copied alone.
func (c *cli) tellRecipe(r appdata.Recipe) error {
	var parts []string
	for i, s := range r.Steps() {
		lines := []string{pad(strconv.Itoa(i+1)+".", 4) + "On " + s.Where}
		if s.File != "" {
			lines[0] += ", in " + s.File + ":"
			for _, l := range s.Lines {
				lines = append(lines, "      "+l)
			}
		}
		if len(s.Commands) > 0 {
			if s.File == "" {
				lines[0] += ":"
			} else {
				lines = append(lines, "    then:")
			}
			for _, l := range s.Commands {
				lines = append(lines, "      "+l)
			}
		}
		parts = append(parts, strings.Join(lines, "\n"))
	}
	return c.document(table.Document{
		{Name: "schema", Value: "coterie.appdata_recipe/v1"},
		{Name: "fs_type", Value: r.FSType},
		{Name: "source", Value: r.Source},
		{Name: "steps", Value: r.Steps()},
	}, strings.Join(parts, "\n\n")+"\n")
}
