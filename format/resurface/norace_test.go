//go:build !race

package resurface

const detecting = false
