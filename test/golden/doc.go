// Package golden holds small captures that the project makes itself, and the
// records they must give, line for line.
package golden
