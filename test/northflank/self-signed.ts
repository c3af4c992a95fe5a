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

/** The same for `api.test`, a host that is not this machine and that no name server knows: only a proxy leads there. */
export const selfSignedForApiTest = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg1SK7/bL1HA8Esc4a
Qff4WHjx6KiZ8qB0O4W14YycxdehRANCAAQf4wrOR2sC6VSOrhsvIbbgiU62dLBv
8L5kAtq9pwCse4k719nYNl9W+o4ryQjqgoSe4BsFnhQB7SUZ0yiGZZj9
-----END PRIVATE KEY-----
`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBazCCARGgAwIBAgIBATAKBggqhkjOPQQDAjApMScwJQYDVQQDDB5ub3J0aGZs
YW5rLW9wZXJhdG9yIHByb3h5IHRlc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx
MDEwMDAwMDBaMCkxJzAlBgNVBAMMHm5vcnRoZmxhbmstb3BlcmF0b3IgcHJveHkg
dGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB/jCs5HawLpVI6uGy8htuCJ
TrZ0sG/wvmQC2r2nAKx7iTvX2dg2X1b6jivJCOqChJ7gGwWeFAHtJRnTKIZlmP2j
KDAmMBMGA1UdEQQMMAqCCGFwaS50ZXN0MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIgJlRhD9z0o67y1LQe1b2vUdTp041w+y+q+GDKkS+8pdgCIQCC
fn6eFDmr1rLUi/g0ZqUCm+NXYOu/oiMkUW7B94ErQQ==
-----END CERTIFICATE-----
`,
} as const;
