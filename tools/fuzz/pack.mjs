// Writes the files that a fuzzer makes to stdout, each with its length before it: for scripts that ask a reference.
// `node pack.mjs headers`
const { make, count } = await import(new URL(`./${process.argv[2]}.mjs`, import.meta.url));
for (let i = 0; i < count; i++) {
  const { bytes } = make(i);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  if (!process.stdout.write(Buffer.concat([length, bytes])))
    await new Promise((resolve) => process.stdout.once('drain', resolve));
}
