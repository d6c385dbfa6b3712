// What Streamlit mounts. It is a module from memory, which has no address: the modules are named by their own.
const modules = import(new URL("ASSETS_PATH/page.js", document.baseURI));

export default function (component) {
  let leave = () => {};
  let gone = false;
  modules.then((page) => {
    if (!gone) leave = page.attach(component);
  });
  return () => {
    gone = true;
    leave();
  };
}
