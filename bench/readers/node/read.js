// Reads a JSON array of mails in base64 from standard input, and writes what mailparser and postal-mime show of each:
// a JSON array, which has for each mail an array of [sender, subject, text, html, [[name, base64], ...]], or null if the
// reader throws.
import { readFileSync } from "node:fs";
import { simpleParser } from "mailparser";
import PostalMime from "postal-mime";

const base64 = (content) => Buffer.from(content ?? "").toString("base64");

async function readByMailparser(raw) {
  const mail = await simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true });
  const files = mail.attachments.map((file) => [file.filename ?? "", base64(file.content)]);
  return [mail.from?.value[0]?.address ?? "", mail.subject ?? "", mail.text ?? "", mail.html || "", files];
}

async function readByPostalMime(raw) {
  const mail = await PostalMime.parse(raw);
  const files = mail.attachments.map((file) => [file.filename ?? "", base64(file.content)]);
  return [mail.from?.address ?? "", mail.subject ?? "", mail.text ?? "", mail.html ?? "", files];
}

const seen = [];
for (const mail of JSON.parse(readFileSync(0, "utf8"))) {
  const raw = Buffer.from(mail, "base64");
  const readers = [readByMailparser, readByPostalMime].map((read) => read(raw).catch(() => null));
  seen.push(await Promise.all(readers));
}
process.stdout.write(JSON.stringify(seen));
