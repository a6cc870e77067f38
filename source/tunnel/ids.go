package tunnel

import (
	"cmp"
	"slices"
	"sort"
)

// ids is what identifiers are taken: sorted ranges that do not touch.
type ids struct {
	all         bool // no list was given
	allow, deny [][2]uint32
}

func newIDs(allow, deny [][2]uint32) *ids {
	return &ids{all: allow == nil && len(deny) == 0, allow: join(allow), deny: join(deny)}
}

// join sorts ranges and makes one of those that overlap or touch.
func join(list [][2]uint32) [][2]uint32 {
	if list == nil {
		return nil
	}
	joined := [][2]uint32{}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b [2]uint32) int { return cmp.Compare(a[0], b[0]) })
	for _, r := range list {
		if n := len(joined); n > 0 && uint64(r[0]) <= uint64(joined[n-1][1])+1 {
			joined[n-1][1] = max(joined[n-1][1], r[1])
		} else if r[0] <= r[1] {
			joined = append(joined, r)
		}
	}
	return joined
}

func (s *ids) wanted(id uint32) bool {
	return s.all || (s.allow == nil || in(s.allow, id)) && !in(s.deny, id)
}

func in(list [][2]uint32, id uint32) bool {
	i := sort.Search(len(list), func(i int) bool { return list[i][1] >= id })
	return i < len(list) && list[i][0] <= id
}
