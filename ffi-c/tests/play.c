/* Plays a test vector: player.h on stdin and stdout. */
#include <stdio.h>
#include <stdlib.h>

static void say(const char *text) { fputs(text, stdout); }

static void broken(const char *what) {
    fprintf(stderr, "not so: %s\n", what);
    exit(1);
}

#include "player.h"

int main(void) {
    static char text[LINE];
    while (fgets(text, sizeof text, stdin)) play(text);
    return 0;
}
