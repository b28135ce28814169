/* SPDX-License-Identifier: Apache-2.0 */
/* ready_line.c - writes the ready line. Every part of the whole service has its key; one that is not served is null, so that a
 * script written today reads tomorrow's line. */
#include "dreamapid/ready_line.h"

#include "common/crypto.h"
#include "common/json.h"

static bool add_endpoint(cJSON *service, const char *name, const sandbox_endpoint *endpoint)
{
    cJSON *it = cJSON_AddObjectToObject(service, name);
    return dream_json_set_string(it, "url", endpoint->url)
           && dream_json_set_string(it, "secretKey", endpoint->secret_key)
           && dream_json_set_string(it, "webhookSecret", endpoint->webhook_secret);
}

static bool add_sandbox(cJSON *line, const sandbox *box)
{
    static const struct {
        const char *name;
        enum sandbox_service service;
    } services[] = { { "stripe", SANDBOX_STRIPE },
                     { "clerkPlatform", SANDBOX_CLERK_PLATFORM },
                     { "clerkEndUser", SANDBOX_CLERK_END_USER } };
    if (!box)
        return dream_json_set_null(line, "sandbox");
    cJSON *all = cJSON_AddObjectToObject(line, "sandbox");
    for (size_t i = 0; i < sizeof services / sizeof services[0]; i++) {
        cJSON *service = cJSON_AddObjectToObject(all, services[i].name);
        if (!add_endpoint(service, "live", sandbox_endpoint_of(box, services[i].service, SANDBOX_LIVE))
            || !add_endpoint(service, "test", sandbox_endpoint_of(box, services[i].service, SANDBOX_TEST)))
            return false;
    }
    return true;
}

static void wipe(cJSON *value)
{
    cJSON *child;
    if (cJSON_IsString(value))
        dream_wipe_text(value->valuestring);
    cJSON_ArrayForEach(child, value) wipe(child);
}

char *dreamd_ready_line(const char *api_url, const char *admin_url, const sandbox *box)
{
    char *text = NULL;
    cJSON *line = cJSON_CreateObject();
    if (dream_json_set_string(line, "api", api_url) && dream_json_set_null(line, "platform")
        && dream_json_set_null(line, "connect") && dream_json_set_null(line, "signup")
        && dream_json_set_null(line, "dashboard") && dream_json_set_string(line, "admin", admin_url)
        && add_sandbox(line, box))
        text = dream_json_print(line);
    wipe(line);
    cJSON_Delete(line);
    return text;
}
