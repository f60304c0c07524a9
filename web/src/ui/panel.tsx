import type { ComponentChildren } from 'preact';

/** A titled part of a page. */
export function Panel({
  title,
  aside,
  label,
  children,
  class: more = '',
}: {
  title?: ComponentChildren;
  aside?: ComponentChildren;
  /** For assistive technology, where no title is shown. */
  label?: string;
  children: ComponentChildren;
  class?: string;
}) {
  return (
    <section class={`panel ${more}`} {...(label === undefined ? {} : { 'aria-label': label })}>
      {title !== undefined && (
        <header class="panel-head">
          <h2>{title}</h2>
          {aside !== undefined && <div class="panel-aside">{aside}</div>}
        </header>
      )}
      {children}
    </section>
  );
}
