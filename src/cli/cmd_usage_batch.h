/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_usage_batch.h - `dreamapi usage batch`, which reads a file. */
#ifndef CLI_CMD_USAGE_BATCH_H
#define CLI_CMD_USAGE_BATCH_H

#include "command.h"

#define CLI_USAGE_BATCH_NOTES                                                                                          \
    "FILE (\"-\": standard input) has commas between columns, and their names in its first line: id and user_id, and " \
    "as\n"                                                                                                             \
    "wanted meter, units (1 unless given) and at (milliseconds since 1970). An event is counted once by its id, so a " \
    "run\n"                                                                                                            \
    "that was cut short is repeated as it is. Lists what was not counted. Ends with 3 if limits refused some, with 1 " \
    "if\n"                                                                                                             \
    "some were wrong.\n\n"                                                                                             \
    "Example:\n  printf 'id,user_id,units\\nmonday-1,user_1,20\\n' | dreamapi usage batch -\n"

int cli_usage_batch_run(const cli_arguments *arguments);

#endif
