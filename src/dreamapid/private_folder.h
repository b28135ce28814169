/* SPDX-License-Identifier: Apache-2.0 */
/* private_folder.h - a temporary folder for a service that nobody gave a database. */
#ifndef DREAMAPID_PRIVATE_FOLDER_H
#define DREAMAPID_PRIVATE_FOLDER_H

/* Made under $TMPDIR (else /tmp), mode 0700: its path, owned; NULL with a sentence. */
char *dreamd_private_folder_make(char error[256]);
/* Removes the folder and the files in it. NULL is fine. */
void dreamd_private_folder_remove(const char *path);

#endif
