/*
 * Listing: the names in a folder, as they were when reading began.
 */
#pragma once

struct folder_listing;

void listing_free(struct folder_listing *listing); /* NULL is allowed */
