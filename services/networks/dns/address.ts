/** Where a sandbox's resolv.conf says that its resolver is; Docker's address. */
export const DNS_ADDRESS = "127.0.0.11";
