import { en } from "./en";

/** What a translation must have: the same keys, and functions where words depend on what is spoken of. */
export type Catalogue = typeof en;

/** Every word of the pages. A second language is another Catalogue, chosen here. */
export const text: Catalogue = en;
