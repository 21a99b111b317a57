// Scans a site as MDN's HTTP Observatory does, whatever address its name has here:
//   node scan.mjs PACKAGE NAME ADDRESS
// Its own launcher replaces the roots that are trusted (NODE_EXTRA_CA_CERTS), so its scanner is called directly.
import dns from "node:dns";
import { pathToFileURL } from "node:url";

const [folder, name, address] = process.argv.slice(2);
const family = address.includes(":") ? 6 : 4;
const lookup = dns.lookup;
dns.lookup = (host, options, done) => {
  const [how, tell] = typeof options === "function" ? [{}, options] : [options, done];
  if (host !== name) return lookup(host, how, tell);
  return how.all ? tell(null, [{ address, family }]) : tell(null, address, family);
};

const { scan } = await import(pathToFileURL(`${folder}/src/scanner/index.js`));
console.log(JSON.stringify(await scan(name)));
