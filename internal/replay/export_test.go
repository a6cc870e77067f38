package replay

import "github.com/passiflow/passiflow/message"

// Asked returns what is sent, by conversation.
func (r *Recording) Asked() (all [][]*message.Message) {
	for _, c := range r.all {
		var one []*message.Message
		for _, s := range c.steps {
			one = append(one, s.x.Request)
		}
		all = append(all, one)
	}
	return all
}
