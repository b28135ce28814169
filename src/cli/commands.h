/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the groups of commands: one file each, each an array that ends with a row without a name. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "command.h"

extern const cli_command cli_health_commands[];
extern const cli_command cli_customer_commands[];
extern const cli_command cli_usage_commands[];
extern const cli_command cli_tier_commands[];
extern const cli_command cli_product_commands[];
extern const cli_command cli_payment_commands[];
extern const cli_command cli_dashboard_commands[];
extern const cli_command cli_asset_commands[];
extern const cli_command cli_token_commands[];
extern const cli_command cli_webhook_commands[];
extern const cli_command cli_journal_commands[];

#endif
