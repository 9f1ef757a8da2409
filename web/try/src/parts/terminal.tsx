import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

/** A command as it is typed, with a button that copies `content`. */
export function Terminal(props: { name: string; content: string; children: ComponentChildren }) {
  const { name, content, children } = props;
  return (
    <div class="terminal">
      <p>
        {name}
        <Copy content={content} label={`Copy the ${name} command`} />
      </p>
      <pre tabIndex={0} aria-label={`${name} command`}>
        <code>
          <b>$ </b>
          {children}
        </code>
      </pre>
    </div>
  );
}

/** Copies a text, and says whether it did. */
function Copy({ content, label }: { content: string; label: string }) {
  const [said, setSaid] = useState('');

  async function copy() {
    try {
      await write(content);
      setSaid('Copied');
    } catch {
      setSaid('Select it and copy by hand');
    }
  }

  return (
    <button type="button" class="quiet" onClick={copy} onBlur={() => setSaid('')} aria-label={said || label}>
      {said || 'Copy'}
      <span class="hidden" role="status">
        {said}
      </span>
    </button>
  );
}

async function write(content: string): Promise<void> {
  // Not there on plain HTTP from another machine.
  if (navigator.clipboard) return navigator.clipboard.writeText(content);
  const area = document.createElement('textarea');
  area.value = content;
  area.className = 'hidden';
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('the browser does not copy');
}
