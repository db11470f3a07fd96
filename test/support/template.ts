// The migrated database that test files clone.

/** Nothing may be connected to it while it is cloned. */
export const TEMPLATE = 'coterie_template';
