// Package pooler shows real agents behind PgBouncer.
package pooler
