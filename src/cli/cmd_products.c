/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_products.c - `dreamapi products list`. */
#include "commands.h"
#include "session.h"

static dreamapi_status start(cli_session *session, dreamapi_call **out_call, dreamapi_error *error)
{
    return dreamapi_product_list_start(session->client, &session->options, out_call, error);
}

static void show(cli_session *session, dreamapi_call *call)
{
    static const cli_column columns[] = {
        { "KEY", false }, { "NAME", false }, { "PRICE", true }, { "STOCK", true }, { "PRODUCT", false },
    };
    cli_table *table = cli_session_table(session, columns, sizeof columns / sizeof columns[0]);
    dreamapi_products *products = NULL;

    (void)dreamapi_products_result(call, &products, NULL);
    for (size_t i = 0; i < dreamapi_products_count(products); i++) {
        const dreamapi_product *product = dreamapi_products_at(products, i);
        const char *name = dreamapi_product_display_name(product);
        cli_table_text(table, dreamapi_product_key(product));
        cli_table_text(table, name ? name : dreamapi_product_name(product));
        cli_table_money(table, dreamapi_product_price(product), dreamapi_product_currency(product));
        cli_table_units(table, dreamapi_product_inventory(product));
        cli_table_text(table, dreamapi_product_id(product));
    }
    cli_table_flush(table);
    cli_table_free(table);
    dreamapi_products_free(products);
}

static int run(const cli_arguments *arguments)
{
    return cli_session_run(arguments, &(const cli_single){ start, show });
}

const cli_command cli_product_commands[] = {
    { "products list", "Lists what the project sells piece by piece", NULL, NULL, CLI_TAKES_OUTPUT | CLI_TAKES_CALL,
      "A stock that is not counted is \"unlimited\".\n\nExample:\n  dreamapi products list\n", run },
    { NULL, NULL, NULL, NULL, 0, NULL, NULL },
};
