/**
 * A certificate for 127.0.0.1 that signs itself, and its key. Made for these tests and trusted by nobody; valid for a
 * hundred years, so that no test fails because of the date.
 */
export const selfSigned = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBuDCCAV+gAwIBAgIUVwuXfwRtIFfMHOMHLnBZzx/iKWEwCgYIKoZIzj0EAwIw
IzEhMB8GA1UEAwwYbm9ydGhmbGFuay1vcGVyYXRvciB0ZXN0MCAXDTI2MTEyMTA5
NDYxM1oYDzIxMjYxMDI4MDk0NjEzWjAjMSEwHwYDVQQDDBhub3J0aGZsYW5rLW9w
ZXJhdG9yIHRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQ9abafy7/SsvUO
coAnp2CpHI6Rj45oAL+mh1zKo5BnwUqsx0bPtBotf3Qg0zOlHvDg8VVUSDnney0t
bv2VLVWVo28wbTAdBgNVHQ4EFgQUrG2u3yWoQvFRsVw49X/zPM4acwkwHwYDVR0j
BBgwFoAUrG2u3yWoQvFRsVw49X/zPM4acwkwDwYDVR0TAQH/BAUwAwEB/zAaBgNV
HREEEzARhwR/AAABgglsb2NhbGhvc3QwCgYIKoZIzj0EAwIDRwAwRAIgZ6dQmpqO
wcLaC+npDhj3mywYRbt7PVcq35wREPg2wNUCIDWpzJcaTYhTnwh2Tbwe4nCegegl
z6Ig4BAW6tTJm+Bo
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgsFG/B+3rUQDGoFVH
gww5hI9vaBMZ5bfk9aHY105ZZiuhRANCAAQ9abafy7/SsvUOcoAnp2CpHI6Rj45o
AL+mh1zKo5BnwUqsx0bPtBotf3Qg0zOlHvDg8VVUSDnney0tbv2VLVWV
-----END PRIVATE KEY-----
`,
} as const;
