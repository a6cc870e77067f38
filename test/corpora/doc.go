// Package corpora compares what the program finds in captures of other projects
// with what independent observers found in them. The captures and their truths
// are not part of this project: the tests look for them in the folder that
// PASSIFLOW_SHARED names, and are skipped without it.
package corpora
