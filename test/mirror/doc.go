// Package mirror lets thousands of conversations go on at once and looks at what
// reaches the target of each, when the target is well, slow or flapping.
package mirror
