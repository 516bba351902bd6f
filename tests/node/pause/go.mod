module kabobagool.io/tests/node/pause

go 1.24
