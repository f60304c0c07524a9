import { describe, expect, it } from 'vitest';
import { parseEndpoint } from '../../src/etcd/endpoint-address.js';

describe('parseEndpoint', () => {
  it.each([
    ['127.0.0.1:2379', '127.0.0.1:2379', null],
    ['etcd-1', 'etcd-1:2379', null],
    ['http://etcd-1:80', 'etcd-1:80', 'http'],
    ['https://etcd-1:443/', 'etcd-1:443', 'https'],
    ['HTTPS://Etcd-1.Example.org', 'etcd-1.example.org:2379', 'https'],
    ['[::1]:2380', '[::1]:2380', null],
    ['http://[fe80::1]', '[fe80::1]:2379', 'http'],
    ['  localhost:1 ', 'localhost:1', null],
  ])('reads %s', (text, address, scheme) => {
    expect(parseEndpoint(text)).toEqual({ address, scheme });
  });

  it.each([
    ['', /empty/],
    ['::1', /brackets: \[::1\]:2379/],
    ['fe80::1:2379', /brackets/],
    ['host:0', /from 1 to 65535/],
    ['host:65536', /from 1 to 65535/],
    ['host:port', /no endpoint/],
    ['unix:///run/etcd', /unix:\/\/ is not supported/],
    ['http://user:secret@host', /settings for user and password/],
    ['http://host/path', /no endpoint/],
    ['two hosts', /no endpoint/],
  ])('refuses %j', (text, problem) => {
    expect(parseEndpoint(text)).toEqual({ problem: expect.stringMatching(problem) as string });
  });
});
