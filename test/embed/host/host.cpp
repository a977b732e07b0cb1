// The same program as C++.
#include "host.c"
