/* Where triggers announce already that another configuration has made, of a table that both have. */
#ifndef CMD_DOCUMENT_CHANNELS_H
#define CMD_DOCUMENT_CHANNELS_H

#include "document/emit.h"

#include <libpq-fe.h>
#include <stdbool.h>

/* There is one set of triggers for a table and columns, which announces on one channel. A configuration by hand has its
 * own, or one that is named after the table as it is spelt there: "cachepusher:tag.id" where a declared document has
 * "cachepusher:public.tag.id". So one that is there is taken up: whoever else listens to it goes on. False: the reason
 * has been told. */
bool channels_adopt(struct place *places, PGconn *pg, struct memory *memory);

#endif
