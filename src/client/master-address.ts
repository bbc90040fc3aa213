/** `http://host:port`, as a browser shows a master, is `host:port`. */
export const masterAddress = (text: string): string => {
  const web = /^http:\/\/([^/?#]+)\/?$/.exec(text.trim())?.[1];
  if (web === undefined) return text;
  return /:\d+$/.test(web) ? web : `${web}:80`;
};
