/*
 * Listing: the names in a folder, as they were when somebody began to read them.
 */
#pragma once

struct folder_listing;

void listing_free(struct folder_listing *listing); /* NULL is allowed */
