// Package mask proves that what is masked appears nowhere: a generator that
// knows nothing of rules plants secrets in every place that a message has, and
// whatever the program writes is searched for them in every form that a reader
// could undo.
package mask
