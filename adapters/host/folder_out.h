/* folder_out.h - the outgoing transport "folder": puts each message into a folder as a file of its own, for other
 * software to pick up. Setting of its section "out":
 *
 *     path    the folder; it has to be there
 *
 * A file is called TIME_ID_NAME: 13 digits (milliseconds since 1970, a little later where needed) by which files sort
 * in the order of departure, also over restarts and when the clock goes back; 16 digits that stand for the message's
 * native id; and the name that the format proposes. It is written under that name with ".tmp" behind it, and renamed
 * when it is on disk, so whoever reads the folder must leave *.tmp alone. A message that is sent again takes the place
 * of its own file, if that is still there; no other file is ever replaced. What a crash left as *.tmp is removed at the
 * next start. Files have mode 0640. */
#ifndef CAREHUB_FOLDER_OUT_H
#define CAREHUB_FOLDER_OUT_H

enum { FOLDER_TIME_DIGITS = 13, FOLDER_ID_DIGITS = 16 };

#endif
