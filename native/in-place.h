// What the files of the sandbox in place share: what of the container stays where it is, and the journal of what was moved.
#pragma once
#include <limits.h>
#include <sys/stat.h>

// Where the journal lies, and what it has put aside; nobody else's.
#define IN_PLACE_HOME "/kaniko/in-place"

// in-place-kept.c: what belongs to the builder and to the container: mount points, and what the executor image names. Reads the list.
void read_kept(void);
// `path` becomes one of them.
void keep_place(const char *path);
// The path itself is one of them; the nearest one that it lies in, or NULL; one lies below it.
int is_kept(const char *path);
const char *kept_above(const char *path);
int has_kept_below(const char *path);
// Of the kernel's own, or a file that every command is shown: the image's own is hidden there in every sandbox.
int is_shown_everywhere(const char *path);
// Both die unless this container was made of the executor image: it has the mark, and this program; its root holds nothing else.
void expect_mark(void);
void expect_known_root(void);
// Ends what runs of an image's programs in this container: what a killed command has left.
void kill_left_over(void);

// in-place-journal.c: each record is written before what it says is done.
void begin_journal(void);
void note_kept(const char *path);
// Puts what lies at a path aside.
void move_aside(const char *path);
// A directory that stays while what it holds is another.
void note_merged(const char *path, const struct stat *now);
// All that was there is aside: what comes now is the image's.
void note_cleared(void);
int is_merged(const char *path);
// Moves what is the image's to where it came from, below the directory `into`, and all else back to its place; without a journal
// nothing is done.
void undo_journal(const char *into);

// Joins a path and a name; the root is "/".
const char *join_path(char joined[PATH_MAX], const char *directory, const char *name);
// Calls `visit` with each name of a directory, sorted; dies where it cannot be read.
void list_names(const char *directory, void (*visit)(const char *directory, const char *name));
// What a directory had is what it gets. Owners that cannot be given stay.
void give_attributes(int directory, const struct stat *wanted);
