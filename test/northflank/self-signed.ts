/**
 * A certificate for `localhost` that signed itself, and its key, valid from 2020 to 2120. Made for these tests and used for
 * nothing else: the key is public by being here.
 */
export const selfSigned = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgtu02TJgkOFJtW9lu
ekh+oVONnVWdHOR6MIktctu5EomhRANCAAQ4pBy1Vq/IqzCPcbHmHxsIKxFY4Bx2
m9BLHA/V+HduisJwTbDxilrULoU0EBdNBXbjiMs5CA7E3SrDdBKAvf2/
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBYTCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv
c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM
CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDikHLVWr8irMI9x
seYfGwgrEVjgHHab0EscD9X4d26KwnBNsPGKWtQuhTQQF00FduOIyzkIDsTdKsN0
EoC9/b+jSDBGMBQGA1UdEQQNMAuCCWxvY2FsaG9zdDAPBgNVHRMBAf8EBTADAQH/
MB0GA1UdDgQWBBQq0nyBuBbVDwIVbzOZ7HFM+gYN8zAKBggqhkjOPQQDAgNIADBF
AiAzL4mA6Ng7ORtTzBcRf9rwq5S67bNIQYWLHPd9LaeZ2wIhANL/DIh5NrkAdLGF
xfy0n91FLRnSMpJkjXwX8ufrwlut
-----END CERTIFICATE-----
`,
};
